mkdir other; echo o > other/f
