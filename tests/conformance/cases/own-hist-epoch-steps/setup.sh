echo f > f; touch -d 2015-06-01 f
