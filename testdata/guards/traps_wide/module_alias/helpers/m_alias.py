import m_names

other = m_names
other.NAMES.append("TrapModuleAlias")
