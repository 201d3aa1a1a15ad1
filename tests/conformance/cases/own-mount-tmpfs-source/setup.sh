mkdir -p dir; echo A > dir/a
