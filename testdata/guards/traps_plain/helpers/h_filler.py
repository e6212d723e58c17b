def fill(target):
    target.add("TrapFilled")
