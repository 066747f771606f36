import { describeFaults } from './bench/bounded-form.js';

describeFaults('broker');
