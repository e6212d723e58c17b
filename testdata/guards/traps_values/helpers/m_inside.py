def change():
    import m_names

    m_names.INSIDE.append("Any")


change()
