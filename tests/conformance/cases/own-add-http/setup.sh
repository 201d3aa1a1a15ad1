echo f > $WWW/f.txt; touch -d @1500000000 $WWW/f.txt; echo s > "$WWW/sp ace"; mkdir t; echo x > t/x; chown 3:4 t/x; tar cf $WWW/a.tar --mtime=@1500000000 t; rm -r t
