echo f > $WWW/f.txt
