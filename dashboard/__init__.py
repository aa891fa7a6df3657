"""What the pages share: navigation, controls and the server that shows them. No statistics, no SQL, no parsing."""
