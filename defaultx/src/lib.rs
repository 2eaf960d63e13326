//! defaultx
