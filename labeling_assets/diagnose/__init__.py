"""`labeling-assets doctor`: what is wrong with database, Label Studio, gateway, projects, folders; each with its fix.

It only reads: what it asks with POST is refused there, or changes nothing.
"""
