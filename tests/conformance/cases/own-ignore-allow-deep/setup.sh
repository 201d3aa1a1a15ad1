mkdir -p s/a s/b/c/d sub1/sub2/sub3/sub4/sub5
for f in top s/1 s/a/2 s/a/x.log s/b/3 s/b/c/4 s/b/c/d/5 sub1/f sub1/sub2/f sub1/sub2/sub3/f sub1/sub2/sub3/sub4/f sub1/sub2/sub3/sub4/sub5/f; do echo $f > $f; done
printf '*\n!*/*/*\n' > .dockerignore; rm -f setup.sh
