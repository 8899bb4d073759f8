"""How do the figures look in Grafana: the dashboards, and the Python that writes them?"""
