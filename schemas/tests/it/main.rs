//! The published contract against itself: schemas, examples, wire structs, AsyncAPI. Nothing here reads a clock or a network.

mod asyncapi;
mod compatibility;
mod examples;
mod structs;
mod upkeep;
