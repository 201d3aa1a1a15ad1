echo yes > $WWW/yes
