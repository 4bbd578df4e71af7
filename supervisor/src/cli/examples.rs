//! The examples of `--help` and of the man pages. A test reads each line that begins with `bartizan`.

pub(super) const ALL: &str = "\
Examples:
  bartizan status                  whether the kernel enforces the policy
  bartizan services                every service that is known
  bartizan show nginx              what nginx is known to do
  bartizan audits --since 2h       what was refused or recorded lately

Environment:
  BARTIZAN_SOCKET  another socket than /run/bartizan/api.sock
  NO_COLOR         no colours, if it is not empty
  PAGER            what shows long answers on a terminal; empty: nothing

Exit status:
  0  good
  1  a finding: something was or would be refused, or differs
  2  wrong usage or input
  3  the system cannot do it, or the daemon does not run";

pub(super) const STATUS: &str = "\
Examples:
  bartizan status
  bartizan status --json | jq -r .enforcement";

pub(super) const ATTEST: &str = "\
Examples:
  bartizan attest
  bartizan attest --json > attestation.json";

pub(super) const SERVICES: &str = "\
Examples:
  bartizan services
  bartizan services --json | jq -r '.[].name'";

pub(super) const SHOW: &str = "\
Examples:
  bartizan show nginx
  bartizan show getty@ --json";

pub(super) const ACTIVATE: &str = "\
Examples:
  bartizan activate nginx";

pub(super) const LEARN: &str = "\
Examples:
  bartizan learn nginx
  bartizan learn nginx --manual    until `bartizan activate nginx`";

pub(super) const RELEARN: &str = "\
Examples:
  bartizan relearn nginx           after an upgrade that changed what it does";

pub(super) const MODEL: &str = "\
Examples:
  bartizan model export --all models.json
  bartizan model import models.json";

pub(super) const MODEL_EXPORT: &str = "\
Examples:
  bartizan model export nginx
  bartizan model export nginx nginx.json
  bartizan model export --all models.json";

pub(super) const MODEL_IMPORT: &str = "\
Examples:
  bartizan model import models.json
  ssh web-1 bartizan model export --all | bartizan model import -";

pub(super) const MODEL_MERGE: &str = "\
Examples:
  bartizan model merge web-1.json web-2.json > both.json";

pub(super) const MODEL_DIFF: &str = "\
Examples:
  bartizan model diff before.json after.json";

pub(super) const POLICY: &str = "\
Examples:
  bartizan policy check
  bartizan policy diff
  bartizan policy apply --confirm 5m
  bartizan policy confirm";

pub(super) const POLICY_CHECK: &str = "\
Examples:
  bartizan policy check
  bartizan policy check --strict ./policy.d";

pub(super) const POLICY_DIFF: &str = "\
Examples:
  bartizan policy diff
  bartizan policy diff --revision 12";

pub(super) const POLICY_SHOW: &str = "\
Examples:
  bartizan policy show
  bartizan policy show 12 --json";

pub(super) const POLICY_APPLY: &str = "\
Examples:
  bartizan policy apply
  bartizan policy apply --confirm 5m --why \"the new web servers\"
  bartizan policy apply ./policy.d";

pub(super) const POLICY_CONFIRM: &str = "\
Examples:
  bartizan policy confirm";

pub(super) const POLICY_ROLLBACK: &str = "\
Examples:
  bartizan policy rollback         from the revision that waits to be confirmed
  bartizan policy rollback 12 --why \"backups failed\"";

pub(super) const POLICY_RESOLVE: &str = "\
Examples:
  bartizan policy resolve nc
  bartizan policy resolve /etc/shadow --json";

pub(super) const POLICY_HISTORY: &str = "\
Examples:
  bartizan policy history
  bartizan policy history --json | jq '.revisions[-1]'";

pub(super) const EXPLAIN: &str = "\
Examples:
  bartizan explain nginx write /etc/passwd
  bartizan explain nginx operate mount
  bartizan explain nginx connect 203.0.113.7:25";

pub(super) const SIMULATE: &str = "\
Examples:
  bartizan simulate
  bartizan simulate --policy ./policy.d --since 7d";

pub(super) const PERMISSIVE: &str = "\
Examples:
  bartizan permissive nginx --for 30m
  bartizan permissive nginx --end";

pub(super) const AUDITS_VERIFY: &str = "\
Examples:
  bartizan audits verify
  bartizan audits verify /srv/copy/audit --key public   a copy, by a key that was kept elsewhere";

pub(super) const AUDITS: &str = "\
Examples:
  bartizan audits --since 2h --verdict deny
  bartizan audits --service nginx --capability SHELL --limit 20
  bartizan audits --since 2026-11-28 --until \"2026-11-28 14:00\"
  bartizan audits --follow --kind capability,outbound --json
  bartizan audits --suggest 4711   how the policy would permit that act

A TIME is so long ago (2h, 30m, 7d), a time of today (14:30), a day (2026-11-28,
today, yesterday: its begin), or both (2026-11-28 14:30, in the local time zone;
RFC 3339 with its own).";

pub(super) const OFF: &str = "\
Examples:
  bartizan off
  bartizan off --until-reboot";

pub(super) const ON: &str = "\
Examples:
  bartizan on";

pub(super) const SELFTEST: &str = "\
Examples:
  bartizan selftest
  bartizan selftest --json | jq .passed";

pub(super) const DOCTOR: &str = "\
Examples:
  bartizan doctor
  bartizan doctor --json | jq '.findings[].mend'";

pub(super) const COMPLETIONS: &str = "\
Examples:
  bartizan completions bash > /etc/bash_completion.d/bartizan
  bartizan completions fish > ~/.config/fish/completions/bartizan.fish";
