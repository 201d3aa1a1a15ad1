mkdir -p dir/sub; echo A > dir/a; echo B > dir/sub/b; ln -s a dir/l; rm -f expected.json
