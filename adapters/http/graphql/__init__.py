"""What stock W&B clients speak: GraphQL, the file stream, and uploads."""
