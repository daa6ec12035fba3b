"""Facts that everything else stands on: sizes, element types, declarations, files."""
