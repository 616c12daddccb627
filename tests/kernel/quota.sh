# Runs in the guest of tools/kernel-client: flotilla and Samba's clients from /dev/vda on a share of /dev/vdb, an ext4 that
# counts what users have. One line a fact: "ok ..." or "FAIL ..."; the exit status is the number of failures.
failures=0
mkdir -p /root-of-tools
mount -t ext4 /dev/vda /root-of-tools || exit 99
mount -t ext4 -o usrquota,prjquota /dev/vdb /root-of-tools/share || exit 98
for each in proc sys dev; do mkdir -p /root-of-tools/$each; mount --bind /$each /root-of-tools/$each; done
mount -t tmpfs tmp /root-of-tools/tmp
chmod 777 /root-of-tools/share
mkdir /root-of-tools/share/project && chmod 777 /root-of-tools/share/project
chroot /root-of-tools /bin/project /share/project 42 8192 || echo "FAIL project quota: not set"

in_tools() { timeout 30 chroot /root-of-tools "$@"; }
check() { # NAME COMMAND...
  name=$1; shift
  if "$@" > /tmp/out 2>&1; then echo "ok quota: $name"
  else failures=$((failures + 1)); echo "FAIL quota: $name: $(tail -n 4 /tmp/out | tr '\n' ' ')"; fi
}
has() { # PATTERN COMMAND...: what the command prints has it
  pattern=$1; shift
  "$@" > /tmp/has 2>&1; cat /tmp/has; grep -qE -- "$pattern" /tmp/has
}
client() { user=$1; shift; in_tools /usr/bin/smbclient //127.0.0.1/data -U "$user%Secret123" -c "$*"; }
quotas() { user=$1; shift; in_tools /usr/bin/smbcquotas //127.0.0.1/data -U "$user%Secret123" "$@"; }

chroot /root-of-tools /bin/flotilla serve --config /etc/flotilla.toml --listen 127.0.0.1:445 > /tmp/log 2>&1 &
server=$!
end=$(($(date +%s) + 30))
until client root exit > /dev/null 2>&1; do [ $(date +%s) -lt $end ] || { cat /tmp/log; echo "FAIL quota: no server"; exit 97; }; sleep 0.2; done
dd if=/dev/zero of=/root-of-tools/tmp/mega bs=1M count=1 2>/dev/null
dd if=/dev/zero of=/root-of-tools/tmp/six bs=1M count=6 2>/dev/null

check "a user's file is counted" has "" client alice "lcd /tmp; put mega"
check "what a user has" has 'Hard Limit: *18446744073709551615' quotas root -u alice -v
check "an administrator sets a limit" quotas root -S UQLIM:alice:3145728/4194304
check "and it is there" has 'Soft Limit: *3145728' quotas root -u alice -v
check "all are listed" has 'alice.* 10[0-9]{5}/ *3145728' quotas root -L
check "the user sees it" has 'Hard Limit: *4194304' quotas alice -u alice -v
check "others do not see it" has 'ACCESS_DENIED' quotas bob -u alice -v
check "others do not set it" has 'ACCESS_DENIED' quotas bob -S UQLIM:alice:0/0
check "the disk is as large as the limit" has '\s4096 blocks of size 1024' client alice du
check "and as large as it is for others" has '[0-9]{5,} blocks of size' client bob du
check "quotas are on" has 'Quota Flags|QUOTA_ENABLED|On|ON' quotas root -F
check "a write past the limit is DISK_FULL" has 'NT_STATUS_DISK_FULL' client alice "lcd /tmp; put six"
check "what was there is there" has '1048576' client alice "ls mega"
check "another user is not concerned" has 'putting file' client bob "lcd /tmp; put six bobs"
check "who frees space has it again" has 'putting file' client alice "del six; lcd /tmp; put mega again"
check "a soft limit alone lets write" quotas root -S UQLIM:bob:1048576/0
check "as it does" has 'putting file' client bob "lcd /tmp; put mega bobs2"
check "no limit again" quotas root -S UQLIM:alice:0/0
check "and the file fits" has 'putting file' client alice "lcd /tmp; put six"
check "a directory's project has a limit" has 'NT_STATUS_DISK_FULL' client alice "cd project; lcd /tmp; put six; put six two"
kill $server; wait $server 2>/dev/null
grep -vE "^(info|warn)" /tmp/log | head -n 5
[ $failures -le 90 ] || failures=90
exit $failures
