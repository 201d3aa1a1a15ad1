echo 'a[' > .dockerignore
