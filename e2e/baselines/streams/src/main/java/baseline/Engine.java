package baseline;

/** Margins of one row, and what each feature contributed to it. */
interface Engine {
    String name();

    String kernel();

    String method();

    /** What contributions begin with. */
    double base();

    /** The margin of a row; {@code parts} are filled, unless it is null. */
    double explain(float[] row, double[] parts);
}
