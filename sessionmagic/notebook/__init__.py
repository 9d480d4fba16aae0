"""The only importer of IPython and ipywidgets: magics, views, completion."""
