def extend(names):
    names.add("TrapLazy")
