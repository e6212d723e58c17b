try:
    from m_names import TRIED
except ImportError:
    TRIED = []
TRIED.append("Any")
