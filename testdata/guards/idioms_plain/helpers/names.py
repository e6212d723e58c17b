FUNCTION_WRITES = frozenset({"CreateFunction20150331", "UpdateFunctionCode20150331v2"})
FUNCTION_EXPOSED = ["AddPermission20150331v2", "CreateFunctionUrlConfig"]
