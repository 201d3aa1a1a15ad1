echo b > .dockerignore; printf 'a\nsub/*.dockerignore\n' > sub/My.df.dockerignore; touch a b c
