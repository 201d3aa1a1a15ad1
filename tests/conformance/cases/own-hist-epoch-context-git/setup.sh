mkdir $CASE_WORK/r; cd $CASE_WORK/r; git init -q -b master .; echo a > a; git add .; git commit -qm x; git clone -q --bare . $WWW/r.git; cd $WWW/r.git; git update-server-info
