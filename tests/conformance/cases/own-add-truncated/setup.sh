head -c 100000 /dev/zero > big; tar cf b.tar big; head -c 20000 b.tar > a.tar; rm big b.tar
