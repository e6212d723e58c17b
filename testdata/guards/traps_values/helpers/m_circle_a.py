import m_circle_b

NAMES = ("StopLogging",)
