names = {"TrapPackage"}
