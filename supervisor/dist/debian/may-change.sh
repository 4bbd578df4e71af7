# shellcheck shell=sh
# The kernel refuses Bartizan's files to every service that `operators` does not name. It is asked by opening one of them
# without writing, so that dpkg does not find out in the middle of its work.
may_change() {
	unit=/usr/lib/systemd/system/bartizand.service
	[ -e "$unit" ] || return 0
	answer=$( (LC_ALL=C && : >>"$unit") 2>&1) && return 0
	case $answer in *"not permitted"*) ;; *) return 0 ;; esac
	service=$(sed -n 's|^0::.*/\([^/]*\)\.service.*|\1|p' /proc/self/cgroup)
	cat >&2 <<-END
		bartizan: this $1 was started by the service ${service:-of a unit that has gone}, and services may not change Bartizan. Nothing was changed.
		bartizan: do it from a login session; or, if this service is to do it from now on, name it in /etc/bartizan/bartizan.toml:
		bartizan:     operators = ["${service:-NAME}"]
		bartizan: and run \`systemctl restart bartizand\` from a login session.
	END
	return 1
}
