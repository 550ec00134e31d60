"""Reports for people: one book of data, bound as a web page and as a workbook.

book    what both show, made once. Pure.
page    one HTML file that needs nothing else; `marks` draws its pictures
sheets  one Excel file
"""
