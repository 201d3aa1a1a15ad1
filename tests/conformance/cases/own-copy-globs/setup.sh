mkdir -p a/sub b/sub e/x/sub e/x/ysub e/z/q/sub .h1
for f in a/sub/1.txt b/sub/2.txt e/x/sub/3.txt e/x/ysub/4.txt e/z/q/sub/5.txt top.txt '[x.txt' '*star' 'sp ace1' x.b x.c .h1/h; do echo "$f" > "$f"; done
