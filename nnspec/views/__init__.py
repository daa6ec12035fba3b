"""A program for people to read: summary, drawing, printed stages."""
