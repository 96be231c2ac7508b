"""Finished work compared with what is known of it, and what is damaged set aside so that it is made anew."""
