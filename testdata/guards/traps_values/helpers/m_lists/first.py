from m_names import TWICE
