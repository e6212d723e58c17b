"""Tests of the worker; run with unittest from the standard library."""
