"""What bench/run is made of: systems as processes, loads, tables, charts."""
