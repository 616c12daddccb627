# Runs in the guest of tools/kernel-client: the kernel's cifs client against the host's server on $PORT, every dialect.
# One line a fact: "ok ..." or "FAIL ..."; the exit status is the number of failures (at most 100).
server=10.0.2.2
failures=0
mkdir -p /mnt/a /mnt/b
dd if=/dev/urandom of=/tmp/random bs=1M count=${MEGABYTES:-8} 2>/dev/null
sum=$(sha256sum /tmp/random | cut -d' ' -f1)

check() { # NAME COMMAND...
  name=$1; shift
  started=$(cut -d' ' -f1 /proc/uptime)
  "$@" >/tmp/out 2>&1; status=$?
  took=$(echo "$(cut -d' ' -f1 /proc/uptime) $started" | awk '{ printf "%.1f s", $1 - $2 }')
  if [ $status -eq 0 ]; then echo "ok $phase: $name ($took)"; else
    failures=$((failures + 1)); echo "FAIL $phase: $name ($took): $* (status $status): $(tail -n 3 /tmp/out | tr '\n' ' ')"; fi
}
quiet_log() { # the client's kernel has nothing to complain about
  dmesg -c > /tmp/dmesg
  if grep -E 'CIFS|cifs' /tmp/dmesg | grep -vE 'POSIX Extensions are experimental|Attempting to mount|Key type cifs|enabled by default|FS-Cache' > /tmp/bad; then
    failures=$((failures + 1)); echo "FAIL $phase: dmesg: $(head -n 5 /tmp/bad | tr '\n' '|')"
  else echo "ok $phase: dmesg is quiet"; fi
}
mounted() { # DIR OPTIONS
  mount -t cifs //$server/data $1 -o port=$PORT,user=tester,pass=Secret123,$2
}
is() { [ "$1" = "$2" ] || { echo "have '$1', want '$2'"; return 1; }; }
refused() { ! "$@"; }
put() { dd if=/tmp/random of=$1 bs=1M 2>/dev/null; } # large blocks: without a cache each goes over the wire
sum_at() { dd if=$1 bs=1M 2>/dev/null | sha256sum | cut -d' ' -f1; }
whole_copy() { put $1/big && sync && is "$(sum_at $1/big)" $sum; }
copy_uncached() { echo 3 > /proc/sys/vm/drop_caches; is "$(sum_at $1/big)" $sum; }
other_side() { is "$(sum_at /mnt/b/big)" $sum; }
renamed() { mv $1/big $1/bigger && [ ! -e $1/big ] && is "$(sum_at $1/bigger)" $sum && rm $1/bigger && [ ! -e $1/bigger ]; }
directories() { mkdir -p $1/d/e/f && echo x > $1/d/e/f/g && refused rmdir $1/d/e/f && rm $1/d/e/f/g && rmdir $1/d/e/f && mv $1/d/e $1/d/E2 && rmdir $1/d/E2 $1/d && [ ! -e $1/d ]; }
appended() { printf one > $1/t && printf two >> $1/t && is "$(cat $1/t)" onetwo && printf s > $1/t && is "$(cat $1/t)" s && truncate -s 100 $1/t && is $(stat -c %s $1/t) 100 && rm $1/t; }
long_listing() { ops names $1/prepared 2000 && is $(ls $1/prepared | grep -c file-) 2000; }
many() { mkdir $1/many && (cd $1/many && i=0; while [ $i -lt $2 ]; do : > file-$i || exit 1; i=$((i + 1)); done) && ops names $1/many $2 && ops names $1/many $2 && is $(ls -l $1/many | grep -c file-) $2 && rm -r $1/many && [ ! -e $1/many ]; }
statfs_says() { df -k $1 | tail -n 1 | awk '{ exit !($2 > 1000 && $4 > 0) }'; }
chmod_harmless() { echo x > $1/c && chmod 600 $1/c && is "$(cat $1/c)" x && chmod 755 $1/c && echo y > $1/c &&
  chmod 444 $1/c && refused sh -c "echo z > $1/c" && is "$(cat $1/c)" y && rm -f $1/c && [ ! -e $1/c ]; }
symlinks() { # a link inside the share is followed by the server; none leads out
  is "$(cat $1/inside-link)" inside && refused cat $1/outside-link; }
names_of_all_languages() { echo x > "$1/Grüße-文件" && ls $1 | grep -q 'Grüße-文件' && rm "$1/GRÜSSE-文件" 2>/dev/null; rm "$1/Grüße-文件"; }
no_case() { echo x > $1/CaseName && is "$(cat $1/casename)" x && rm $1/CASENAME && refused sh -c "ls $1 | grep -qi casename"; }
two_at_once() { put /mnt/a/p1 & one=$!; put /mnt/b/p2 && wait $one && is "$(sum_at /mnt/b/p1)" $sum && is "$(sum_at /mnt/a/p2)" $sum && rm /mnt/a/p1 /mnt/b/p2; }

dialect() { # OPTIONS FILES: the whole round
  phase=$1
  check mount mounted /mnt/a $1 || return
  check "second client" mounted /mnt/b $1,nosharesock
  check "write and read back" whole_copy /mnt/a
  check "read from the server" copy_uncached /mnt/a
  check "read by a second client" other_side
  check "rename and unlink" renamed /mnt/a
  check directories directories /mnt/a
  check "append, overwrite, truncate" appended /mnt/a
  check "2000 files listed" long_listing /mnt/a
  check "$2 files made, listed, removed" many /mnt/a $2
  check statfs statfs_says /mnt/a
  check "chmod does no harm" chmod_harmless /mnt/a
  check symlinks symlinks /mnt/a
  check "names of all languages" names_of_all_languages /mnt/a
  check "names without case" no_case /mnt/a
  check "unlink of an open file" ops unlinks /mnt/a/open-file
  check "rename over an open file" ops renames /mnt/a/from /mnt/a/to
  check mmap ops maps /mnt/a/mapped
  check "sizes and times" ops sizes /mnt/a/sized
  check "byte-range locks between clients" ops locks /mnt/a/locked /mnt/b/locked
  check "caches between clients" ops coherent /mnt/a/shared /mnt/b/shared
  check "two clients write at once" two_at_once
  check remount mount -o remount,ro /mnt/a
  check "read-only holds" refused touch /mnt/a/nothing
  rm -f /mnt/b/to /mnt/b/mapped /mnt/b/sized /mnt/b/locked /mnt/b/shared
  check "left as it was" is "$(ls /mnt/b | tr '\n' ' ')" "inside inside-link prepared "
  check unmount umount /mnt/b
  check "unmount of the first" umount /mnt/a
  quiet_log
}

# The POSIX extensions: names mean what they say, links are the client's, modes are modes.
modes() { # as made; the client of Linux 6.1 keeps chmod(2) to itself
  for mask in 022:644:755 077:600:700 027:640:750; do
    (umask ${mask%%:*} && : > $1/m && mkdir $1/md) && is $(stat -c %a $1/m):$(stat -c %a $1/md) ${mask#*:} &&
      is "$(stat -c %F $1/md)" directory && rm $1/m && rmdir $1/md || return 1; done; }
two_cases() { echo big > $1/CASE && echo small > $1/case && is "$(cat $1/CASE)" big && is "$(cat $1/case)" small && is "$(ls $1 | grep -ci '^case$')" 2 &&
  refused cat $1/Case && mv $1/case $1/Case && is "$(cat $1/Case)" small && rm $1/CASE && [ -e $1/Case ] && rm $1/Case; }
odd_names() { for odd in 'a:b' 'star*' 'what?' 'qu"ote' '<in>' 'pi|pe' 'dot.' 'space ' '...'; do
  echo "$odd" > "$1/$odd" && is "$(cat "$1/$odd")" "$odd" && ls -a $1 | grep -qxF "$odd" && rm "$1/$odd" && [ ! -e "$1/$odd" ] || return 1; done; }
links_are_read() { is "$(readlink $1/inside-link)" inside && is "$(cat $1/inside-link)" inside && is "$(readlink $1/outside-link)" /etc/passwd &&
  is "$(ls -l $1 | grep -c '^l')" 2; }
links_are_made() { # as far as this kernel can: 6.1 makes none
  ln -s some/where $1/made 2>/tmp/why || { grep -q 'not supported' /tmp/why; return; }
  is "$(readlink $1/made)" some/where && [ -L $1/made ] && rm $1/made && [ ! -L $1/made ]; }
hard_links() { echo one > $1/h1 && ln $1/h1 $1/h2 && is $(stat -c %h $1/h1) 2 && rm $1/h1 && is "$(cat $1/h2)" one && is $(stat -c %h $1/h2) 1 && rm $1/h2; }
no_devices() { refused mknod $1/null c 1 3 && [ ! -c $1/null ]; }
posix() { # OPTIONS
  phase=$1
  check mount mounted /mnt/a $1 || return
  check "second client" mounted /mnt/b $1,nosharesock
  check "the extensions are on" grep -q ' /mnt/a cifs.*[,]posix[,]' /proc/mounts
  check "write and read back" whole_copy /mnt/a
  check "read by a second client" other_side
  check "rename and unlink" renamed /mnt/a
  check directories directories /mnt/a
  check modes modes /mnt/a
  check "names that differ by case" two_cases /mnt/a
  check "special characters" odd_names /mnt/a
  check "links are read" links_are_read /mnt/a
  check "links are made" links_are_made /mnt/a
  check "hard links" hard_links /mnt/a
  check "no devices" no_devices /mnt/a
  check statfs statfs_says /mnt/a
  check "unlink of an open file" ops unlinks /mnt/a/open-file
  check "unlink of what another has open" ops unlinks_held /mnt/a/held /mnt/b/held
  check "rename over an open file" ops renames /mnt/a/from /mnt/a/to
  rm -f /mnt/a/to
  check "left as it was" is "$(ls /mnt/b | tr '\n' ' ')" "inside inside-link outside-link prepared "
  check unmount umount /mnt/b
  check "unmount of the first" umount /mnt/a
  quiet_log
}

# Modes and owners that the client keeps in descriptors, as SIDs of NFS' kind.
chmods() { : > $1/m && chmod 604 $1/m && mkdir $1/md && chmod 711 $1/md && echo 3 > /proc/sys/vm/drop_caches && sleep 1.2 &&
  is "$(stat -c %a:%u:%g $1/m)" 604:0:0 && is "$(stat -c %a $1/md)" 711 && echo x > $1/md/f && is "$(cat $1/md/f)" x && rm -r $1/m $1/md; }
sids() { # OPTIONS
  phase=$1
  check mount mounted /mnt/a $1 || return
  check "chmod is kept" chmods /mnt/a
  check "write and read back" whole_copy /mnt/a
  rm -f /mnt/a/big
  check unmount umount /mnt/a
  quiet_log
}

dmesg -c > /dev/null
posix vers=3.1.1,posix
sids vers=3.1.1,modefromsid,idsfromsid
dialect vers=3.1.1 100
dialect vers=3.0,sec=ntlmssp 20
dialect vers=2.1 20
dialect vers=3.1.1,cache=none 20

phase="refusals"
check "wrong password" refused mount -t cifs //$server/data /mnt/a -o port=$PORT,user=tester,pass=wrong,vers=3.1.1
check "unknown share" refused mount -t cifs //$server/nothing /mnt/a -o port=$PORT,user=tester,pass=Secret123,vers=3.1.1
dmesg -c > /dev/null

# The host restarts the server when it reads the word, and puts the file "restarted" into the share.
phase="restart"
check mount mounted /mnt/a vers=3.1.1,soft
echo before > /mnt/a/before
echo "@restart"
came_back() { end=$(($(date +%s) + 60)); until [ -e /mnt/a/restarted ]; do [ $(date +%s) -lt $end ] || return 1; sleep 0.2; done; }
check "the mount comes back" came_back
check "reads what was written before" is "$(cat /mnt/a/before)" before
check "writes again" whole_copy /mnt/a
rm -f /mnt/a/before /mnt/a/big
check unmount umount /mnt/a
dmesg -c | grep -E 'CIFS' | grep -iE 'signature|length|invalid|malformed|bad|credit' && { failures=$((failures + 1)); echo "FAIL restart: dmesg"; }
[ $failures -le 100 ] || failures=100
exit $failures
