mkdir d; echo f > d/f; echo no > ignored; ln -s d ld; printf 'ignored\n*ignore\nDockerfile\n' > .dockerignore
