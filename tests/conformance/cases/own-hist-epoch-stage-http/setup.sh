echo hi > $WWW/f; touch -d "2012-03-04 05:06:07 UTC" $WWW/f
