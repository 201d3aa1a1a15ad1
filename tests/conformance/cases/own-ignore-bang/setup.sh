echo '!' > .dockerignore
