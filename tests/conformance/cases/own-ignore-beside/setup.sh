mkdir sub; touch a b c; printf "a\n" > .dockerignore; printf "b\n.dockerignore\nsub/my*\nsetup.sh\n" > sub/my.Dockerfile.dockerignore; cp Dockerfile sub/my.Dockerfile
