#!/usr/bin/env bash
# The syslog servers that tests of the syslog output talk to: rsyslog is installed; syslog-ng, which Debian does not install
# beside it, is unpacked into target/syslog-ng. Needs Debian and, for what is missing, root.
set -euo pipefail
cd "$(dirname "$0")/.."

into=target/syslog-ng
have_rsyslog() { [ -x /usr/sbin/rsyslogd ]; }
have_syslog_ng() { [ -x "$into/usr/sbin/syslog-ng" ]; }
if have_rsyslog && have_syslog_ng; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tools/syslog_servers.sh: rsyslog and syslog-ng are needed for the tests of the syslog output; run this as root on Debian" >&2
    exit 2
fi
apt-get update -qq
have_rsyslog || apt-get install -y -qq --no-install-recommends rsyslog
if ! have_syslog_ng; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    apt-get install -y -qq --no-install-recommends libglib2.0-0 libjson-c5 libcap2 libpcre3 libssl3 libsystemd0 libwrap0
    (cd "$work" && apt-get download -qq syslog-ng-core libivykis0 libnet1)
    mkdir -p "$into"
    for package in "$work"/*.deb; do dpkg -x "$package" "$into"; done
fi
