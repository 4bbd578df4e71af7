# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Programs on Bartizan's hooks that do nothing: what the kernel asks for having any program there.

They are made of Bartizan's own attach stubs, so the list cannot drift: each keeps its section and its parameters and loses
its body. A program for an LSM hook hands on the verdict before it, the others return 0."""

import pathlib
import re
import subprocess

STUBS = pathlib.Path(__file__).resolve().parents[2] / "bpf/kern/bartizan.bpf.c"
CLANG = ["clang-19", "-x", "c", "-target", "bpf"]
# libbpf's two macros as marks that stay when the file's own macros are expanded. What it includes is not looked at.
MARKS = ["-DSEC(name)=@SEC name@", "-DBPF_PROG(name, ...)=@PROG name(__VA_ARGS__)@"]
STUB = re.compile(r"@SEC ([^@]+)@\s*int\s+@PROG (\w+)\(([^@]*)\)@")
HOOK = re.compile(r"(lsm|tp_btf|fexit|fentry)/\w+")
# The context is an array of words, one for each parameter; BPF_PROG reads the same ones by name.
PROGRAM = """\
__attribute__((section("license"), used)) char LICENSE[] = "GPL";
__attribute__((section("{section}"), used)) int {name}(unsigned long long *context)
{{
	return {verdict};
}}
"""


def stubs():
    """Section, name and number of parameters of each program."""
    text = re.sub(r"(?m)^#include.*$", "", STUBS.read_text())
    expanded = subprocess.run([*CLANG, "-E", "-P", *MARKS, "-"], input=text, capture_output=True, text=True, check=True).stdout
    for section, name, parameters in STUB.findall(expanded):
        section = "".join(re.findall(r'"([^"]*)"', section))
        if not HOOK.fullmatch(section):
            raise ValueError(f"{STUBS.name}: no empty program can be made for {name} in section {section!r}")
        yield section, name, len(parameters.split(","))


def build(directory):
    """Compiles each program into an object of its own, since only one of a hook's variants fits a kernel."""
    directory.mkdir()
    for section, name, parameters in stubs():
        verdict = f"(int)context[{parameters - 1}]" if section.startswith("lsm/") else "0"
        text = PROGRAM.format(section=section, name=name, verdict=verdict)
        subprocess.run([*CLANG, "-O2", "-g", "-mcpu=v3", "-c", "-", "-o", directory / f"{name}.o"],
                       input=text, text=True, check=True)
