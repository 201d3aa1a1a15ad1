mkdir -p d/e; touch a b.txt d/b.txt d/e/c; printf "*.txt\n**/c\n!d/b.txt\nsetup.sh\ncase.toml\nexpected.json\nDockerfile*\n" > .dockerignore
