mkdir t; cd t; mkdir -p d/e; echo f > d/f; echo s > d/suid; ln d/f d/hard; ln -s f d/sym; ln -s /abs d/abs; mkfifo d/pipe; mknod d/null c 1 3; chown 41:42 d/f d/e; chmod 4711 d/suid; chmod 1770 d/e
touch -d @1500000000 d/f d/e d
tar --sort=name --mtime=@1500000000 --numeric-owner -cf ../a.tar d
mkdir -p w; echo x > w/.wh.gone; tar cf ../wh.tar w; mkdir -p i/j; echo k > i/j/k; tar cf ../implied.tar i/j/k; tar cf ../empty.tar -T /dev/null
cd ..; rm -rf t; gzip -nk a.tar; bzip2 -k a.tar; xz -k a.tar; zstd -q a.tar -o a.tar.zst; cp a.tar.gz oddly.named; echo notar | gzip -n > plain.gz; echo x > x.txt; mkdir dir; cp a.tar dir/; ln -s a.tar lnk.tar
