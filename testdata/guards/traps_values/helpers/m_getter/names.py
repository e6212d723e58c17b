NAMES = ("StopLogging",)
