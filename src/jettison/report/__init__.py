"""Findings as text, JSON, SARIF and annotations. No I/O: every format is a function to a string.

text.render        for people: place, source line with a caret, how to mend it
documents.to_json  one JSON document;  sarif.to_sarif: SARIF 2.1.0;  annotations: GitHub's
"""
