mkdir -p q/sub perm q/link; echo 1 > q/file; echo 2 > q/sub/g; ln -s file q/sl; ln q/file q/hl; chown 11:12 q/file; chmod 4711 q/sub/g; echo l > q/link/in
echo p > perm/setuid; chmod 4755 perm/setuid; echo p > perm/sticky; chmod 1600 perm/sticky; echo g > perm/sgid; chmod 2750 perm/sgid; chown 3:4 perm/sgid
tar --sort=name -C q -cf t1.tar file sub sl hl; gzip -k t1.tar; tar --sort=name -C q -cjf t2.tar.bz2 ./file ./sub; tar -cf perm.tar -C perm .; tar -cf empty.tar -T /dev/null; echo hello > notatar.tar
