# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The service that was taken over: victim.py, with the acts of the attack suite. All happen inside its own process."""

import sys

import aliases
import attempts
import children
import execution
import powers
import victim

for module in (attempts, children, execution, aliases, powers):
    victim.ACTS.update(module.ACTS)

if __name__ == "__main__":
    victim.serve(sys.argv[1])
