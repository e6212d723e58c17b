import m_lists.first
import m_lists.second

m_lists.first.TWICE.append("Any")
