//! The published contract against itself: schemas, examples, wire structs, AsyncAPI, OpenAPI. Nothing here reads a clock or a network.

mod asyncapi;
mod compatibility;
mod examples;
mod openapi;
mod structs;
mod upkeep;
mod words;
